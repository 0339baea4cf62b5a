"""Runs a channel that is a Python file: the other end of docs/reference/worker_protocol.md. Needs NumPy only. Licence: Apache-2.0.

    stream        messages on two pipes, bulk data in shared memory
    table         the table `channel = {...}` of a file, as the description that the program understands
    priors        latents drawn from the laws that the table names
    channel_file  loads a file, calls its functions, checks what they return
    problems      errors in words: what went wrong, in which line of whose file
    __main__      the conversation
"""
