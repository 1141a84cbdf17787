"""A program that becomes another which ends when its parent does: `leash.py PARENT UID SIGNAL COMMAND…`."""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1


def main(parent: int, user: int, end_with: int, command: list[str]) -> None:
    if user != os.getuid():
        os.setgroups([])
        os.setgid(user)
        os.setuid(user)
    # After the change of user, which would clear it.
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, end_with) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
    if os.getppid() != parent:
        sys.exit("the parent is gone already")
    os.execv(command[0], command)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])
