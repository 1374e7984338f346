"""Run programs that nobody vouches for: no network, no home, no other process, bounded time, memory, files and output."""
