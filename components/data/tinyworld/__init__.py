"""A world small enough to pre-train on two cores: two skills, two number scripts, one small language model.

It exists so that the whole recipe can be seen to work without a GPU and without a download. Nothing outside this room
knows it: to the rest of r1flow it is a model directory and a source of problems like any other.
"""
