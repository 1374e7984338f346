"""Programs as supervised process trees: the flow process may die at any instant, and nothing it started survives it.

::

    flow process                    keeper.run_program: writes spec.json, waits, reads exit.json
      |  lifeline (socket pair)     lifeline.Channel: a request down, reports up; its end of file means death
      v
    warden                          warden.supervise: one thread, owns the tree, kills and reaps it
      `-- program                   child.run: r1flow.components.programs.<name>.main(spec) -> metrics, written by outcome
            `-- ranks, workers ...  in sessions of their own or not

The warden is forked from a server that has imported torch and transformers already (``preload``, ``forker``), or is a
fresh interpreter. ``Covered``: every descendant, whatever its session, also one whose parent has exited (Linux). ``Not
covered``: descendants in other sessions when the warden itself is killed with SIGKILL; processes of another user that
may not be signalled; a flow process that forks without exec, whose copies of the lifeline keep it open.
"""
