"""The checks of ``stitchline doctor``: one finding per thing an operator meets, each with what to do.

``host`` checks this machine, ``cluster`` the brokers, ``hanging`` transactions that nothing ends.
"""
