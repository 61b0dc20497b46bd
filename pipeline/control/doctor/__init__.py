"""The checks of ``stitchline doctor``. Each check returns a finding with the operator's remedy.

``host`` checks this machine, ``cluster`` the brokers, ``hanging`` the transactions that will never end.
"""
