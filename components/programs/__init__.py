"""What runs in a supervised child: ``main(spec) -> metrics``, one program a file.

A program reads its inputs from local directories, writes its output to ``out`` and its checkpoints to the store. It knows
neither Prefect nor MLflow: metrics go to a spool file that the supervisor ships.
"""
