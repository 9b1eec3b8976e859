"""A small RTSP camera: one client at a time, H.264 over the same TCP connection, until it is closed."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from fractions import Fraction

import av
import numpy as np

RATE = 20
MILLISECOND = Fraction(1, 1000)
SDP = (
    "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=camera\r\nt=0 0\r\n"
    "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1\r\na=control:track\r\n"
)
CODEC = {"preset": "ultrafast", "tune": "zerolatency", "x264-params": "repeat-headers=1:keyint=10:threads=1"}


class RtspCamera:
    """Listens on 127.0.0.1; picture number n is grey with the value 40 + n % 200."""

    def __init__(self, port: int = 0) -> None:
        self._server = socket.create_server(("127.0.0.1", port))
        self.port = self._server.getsockname()[1]
        self.url = f"rtsp://127.0.0.1:{self.port}/live"
        self._closed = threading.Event()
        self._client: socket.socket | None = None
        self._threads = [threading.Thread(target=self._serve, daemon=True)]
        self._threads[0].start()

    def close(self) -> None:
        """The camera is unplugged."""
        self._closed.set()
        for end in (self._client, self._server):
            if end is not None:
                _hang_up(end)
        for thread in self._threads:
            thread.join(5.0)

    def _serve(self) -> None:
        self._server.settimeout(0.1)
        while not self._closed.is_set():
            try:
                self._client, _ = self._server.accept()
            except (TimeoutError, OSError):
                continue
            self._talk(self._client)

    def _talk(self, client: socket.socket) -> None:
        lines = client.makefile("rb")
        while not self._closed.is_set():
            try:
                request = _request(lines)
            except OSError:
                return
            if not request:
                return
            method, cseq = request
            answer = {
                "OPTIONS": "Public: DESCRIBE, SETUP, PLAY, TEARDOWN\r\n",
                "DESCRIBE": f"Content-Type: application/sdp\r\nContent-Length: {len(SDP)}\r\n",
                "SETUP": "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\nSession: 1\r\n",
                "PLAY": "Session: 1\r\nRTP-Info: url=track\r\n",
            }.get(method, "Session: 1\r\n")
            body = SDP if method == "DESCRIBE" else ""
            client.sendall(f"RTSP/1.0 200 OK\r\nCSeq: {cseq}\r\n{answer}\r\n{body}".encode())
            if method == "PLAY":
                self._threads.append(threading.Thread(target=self._play, args=(client,), daemon=True))
                self._threads[-1].start()

    def _play(self, client: socket.socket) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as packets:
            packets.bind(("127.0.0.1", 0))
            packets.settimeout(0.2)
            target = f"rtp://127.0.0.1:{packets.getsockname()[1]}"
            with av.open(target, "w", format="rtp") as muxer:
                stream = muxer.add_stream("libx264", RATE, options=CODEC)
                stream.width, stream.height, stream.pix_fmt, stream.bit_rate = 64, 48, "yuv420p", 1_000_000
                stream.codec_context.time_base = MILLISECOND
                began = time.monotonic()
                for number in range(100_000):
                    if self._closed.is_set() or not _send(muxer, stream, number, began, packets, client):
                        return
                    time.sleep(1 / RATE)


def _send(muxer, stream, number: int, began: float, packets: socket.socket, client: socket.socket) -> bool:
    picture = np.full((48, 64, 3), 40 + number % 200, np.uint8)
    frame = av.VideoFrame.from_ndarray(picture, "rgb24").reformat(format="yuv420p")
    frame.pts, frame.time_base = round((time.monotonic() - began) * 1000), MILLISECOND
    for packet in stream.encode(frame):
        muxer.mux(packet)
    try:
        while True:
            data = packets.recv(4096)
            # RTP only: what says how clocks relate (RTCP, types 200 to 204) would need a channel of its own.
            if not 200 <= data[1] <= 204:
                client.sendall(b"$\0" + len(data).to_bytes(2, "big") + data)
                if data[1] & 0x80:  # the picture's last packet
                    return True
    except TimeoutError:
        return True
    except OSError:
        return False


def _request(lines) -> tuple[str, str] | None:
    """Method and CSeq of the next request; what a client sends between them (RTCP) is passed over."""
    method, cseq = "", ""
    while line := lines.readline():
        if line.startswith(b"$"):
            continue
        text = line.decode(errors="replace").strip()
        if text.endswith("RTSP/1.0"):
            method = text.split()[0]
        elif text.lower().startswith("cseq:"):
            cseq = text.split(":")[1].strip()
        elif not text and method:
            return method, cseq
    return None


def _hang_up(client: socket.socket) -> None:
    with contextlib.suppress(OSError):
        client.shutdown(socket.SHUT_RDWR)
    client.close()
