"""The Python package `websockets`, for the interoperation tests.

  in  -> serve | call URL; deflate | plain
  out -> serve: its port, then it echoes until its input ends
         call: sends the messages named on its input and checks that they come back; what was agreed on
"""

import asyncio
import json
import sys

import websockets

LIMIT = 64 * 1024 * 1024


async def echo(connection):
    try:
        async for message in connection:
            await connection.send(message)
    except websockets.ConnectionClosed:
        pass


async def serve(compression):
    server = await websockets.serve(
        echo, "127.0.0.1", 0, compression=compression, max_size=LIMIT
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    server.close()
    await server.wait_closed()


def message_of(kind, size):
    if kind == "text":
        return ("Callbox é € \U0001f600 " * size)[:size]
    return bytes((index * 7 + index // 251) & 0xFF for index in range(size))


async def call(url, compression):
    wanted = json.loads(sys.stdin.read())
    async with websockets.connect(url, compression=compression, max_size=LIMIT) as connection:
        for kind, size in wanted:
            message = message_of(kind, size)
            await connection.send(message)
            # In fragments as well: the other side may not tell the difference.
            await connection.send([message[: size // 2], message[size // 2 :]])
            for _ in range(2):
                if await connection.recv() != message:
                    raise SystemExit(f"{kind} of {size} came back changed")
        await (await connection.ping(b"callbox"))
        headers = getattr(connection, "response_headers", None)
        if headers is None:
            headers = connection.response.headers
        print(headers.get("Sec-WebSocket-Extensions", ""), flush=True)
    close_code = connection.close_code
    if close_code != 1000:
        raise SystemExit(f"closed with {close_code}")


def main():
    *command, setting = sys.argv[1:]
    compression = "deflate" if setting == "deflate" else None
    if command[0] == "serve":
        asyncio.run(serve(compression))
    else:
        asyncio.run(call(command[1], compression))


main()
