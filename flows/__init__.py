"""What runs and in which order. A flow reads like a paragraph of the paper; it holds no mathematics and no storage."""
