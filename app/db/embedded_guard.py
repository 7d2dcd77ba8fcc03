"""The server's parent process: stops the server when the last program that used it is gone.

Run as a script, by path, with the standard library only. A program that ends in order stops the
server itself; one that is killed cannot, and a server nobody uses would run for ever. The kernel
releases a dead program's flock, and that is what this process waits for.

It takes one argument, a JSON object: `argv`, `environment`, `identity` (arguments of Popen),
`alive`, `users`, `start` (lock files) and `pass_fds`; and the descriptor `report`, whose closing
tells the program that started it that the server has ended.
"""

import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
from types import FrameType

FAST_SHUTDOWN = 60.0
"""Seconds after which an orderly shutdown is cut short; the next start recovers from the log."""


def watch(server: subprocess.Popen[bytes], alive: int, users: int, start: int) -> None:
    """Stop `server` once nobody uses it, and never while somebody is about to."""
    while True:
        # Granted when no program is left. It is given back at once: a program that starts now
        # must not wait for us while we wait for the start lock that it holds.
        fcntl.flock(alive, fcntl.LOCK_EX)
        fcntl.flock(alive, fcntl.LOCK_UN)
        fcntl.flock(start, fcntl.LOCK_EX)
        try:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            fcntl.flock(start, fcntl.LOCK_UN)
            continue
        # Both locks are kept until this process ends, which is when the server has ended.
        server.send_signal(signal.SIGINT)
        try:
            server.wait(FAST_SHUTDOWN)
        except subprocess.TimeoutExpired:
            server.send_signal(signal.SIGQUIT)
        return


def main() -> int:
    """Detach, run the server, answer its exit code."""
    order = json.loads(sys.argv[1])
    if os.fork() != 0:
        os._exit(0)
    alive, users, start = (os.open(order[name], os.O_RDWR) for name in ("alive", "users", "start"))
    server = subprocess.Popen(  # noqa: S603
        order["argv"],
        env=order["environment"],
        stdin=subprocess.DEVNULL,
        pass_fds=order["pass_fds"],
        **order["identity"],
    )

    def stop(_number: int, _frame: FrameType | None) -> None:
        server.send_signal(signal.SIGINT)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, stop)
    threading.Thread(target=watch, args=(server, alive, users, start), daemon=True).start()
    return server.wait()


if __name__ == "__main__":
    sys.exit(main())
