"""Warm kernels: a Jupyter kernel that is forked from a process which has imported the libraries already.

A client (papermill, nbclient, nbconvert, JupyterLab, unmodified) names the kernelspec `nbdataops`. Its provisioner
(`provisioner`) asks a fork server (`fork_server`) for a kernel. The server was exec'd once for this interpreter,
preload list, environment and place (`server_key`), has imported third-party packages (`preloading`), and forks
itself: milliseconds instead of a second, memory shared until it is written.

One connection is one kernel's lease (`lease`): when the client goes away its kernel is ended; when the server goes
away its kernels live on. Whatever does not fit starts an ordinary kernel, and says why (`cold`).

Apart from the rest of the house: imports nothing of nbdataops but its errors. Only Linux has what it takes; on
other systems the same kernelspec starts ordinary kernels.
"""
