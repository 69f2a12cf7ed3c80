"""The scene of a task: real services, the approach's own programs, a failure that is made for real, and a check by machine.

All of it lies in one folder, and is described there well enough to be set up again after a crash of the session.
"""
