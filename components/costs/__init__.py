"""What a run will be, before anything is paid for."""
