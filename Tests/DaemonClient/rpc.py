"""A client of nvmeofd's JSON-RPC for tests that use no other's."""
import json
import socket


class RPCError(Exception):
    def __init__(self, method, code, message):
        super().__init__(f"{method}: {code} {message}")
        self.code = code


class RPC:
    """A connection; one a thread."""

    def __init__(self, path, patience):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(patience)
        self.socket.connect(path)
        self.input = self.socket.makefile("rb")
        self.identifier = 0

    def __call__(self, method, **parameters):
        self.identifier += 1
        request = {"jsonrpc": "2.0", "id": self.identifier, "method": method}
        if parameters:
            request["params"] = parameters
        self.socket.sendall(json.dumps(request).encode())
        line = self.input.readline()
        if not line:
            raise EOFError(f"{method}: the daemon closed the connection")
        reply = json.loads(line)
        if "error" in reply:
            raise RPCError(method, reply["error"]["code"], reply["error"]["message"])
        return reply["result"]
