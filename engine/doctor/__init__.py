"""`peer2prompt doctor`: looks for what keeps a node from working well and says what to do.

`machine`, `home` and `ports` need no node; `network` asks a running one. Nothing here repairs,
and nothing connects anywhere but over circuits and to this machine itself.
"""
