"""Who is at the other end of a Unix socket, by the operating system's word.

Belongs here: peer credentials (SO_PEERCRED, unix(7)). Must stay out: what they entitle to.
"""

import pwd
import socket
import struct

_CREDENTIALS = struct.Struct("3i")


def peer_uid(connection: socket.socket) -> int:
    """User id of the process that connected, or, at the client's end, of the one that listens."""
    packed = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return int(_CREDENTIALS.unpack(packed)[1])


def login_of(uid: int) -> str:
    """The login of a user id; for one without a login the id in digits."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
