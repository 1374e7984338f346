"""What every room stands on: errors, seeds, rows and rollouts, model directories, devices. Nothing here knows a stage."""
