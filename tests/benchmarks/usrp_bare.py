"""UHD without anything of ours, for comparison; run by an interpreter that has it: usrp_bare.py untimed|stream ..."""

import json
import sys
import time

import numpy as np
import uhd

T, ADDRESSES, N = uhd.types.TimeSpec, [f"127.0.4.{i + 1}" for i in range(4)], 2000


def opened(n):
    usrp = uhd.usrp.MultiUSRP("type=usrp2," + ",".join(f"addr{i}={a}" for i, a in enumerate(ADDRESSES[:n])))
    usrp.set_clock_source("external")
    usrp.set_time_source("external")
    usrp.set_time_unknown_pps(T(0.0))
    time.sleep(1.1)
    return usrp


def untimed(times):
    """Phases of all transmit channels at the first receive channel, tuned without a time again and again."""
    usrp, n = opened(4), 4
    for i in range(n):
        usrp.set_tx_rate(1e6, i), usrp.set_rx_rate(1e6, i), usrp.set_tx_gain(20, i), usrp.set_rx_gain(20, i)
    arguments = uhd.usrp.StreamArgs("fc32", "sc16")
    arguments.channels = list(range(n))
    rx, tx = usrp.get_rx_stream(arguments), usrp.get_tx_stream(arguments)
    rng = np.random.default_rng(1)
    sent = np.zeros((n, N), np.complex64)
    for i in range(n):
        sent[i, 100 + 400 * i : 400 + 400 * i] = 0.3 * np.exp(2j * np.pi * rng.random(300))
    phases = []
    for _ in range(times):
        for i in range(n):
            usrp.set_tx_freq(uhd.types.TuneRequest(2.45e9), i), usrp.set_rx_freq(uhd.types.TuneRequest(2.45e9), i)
        command = uhd.types.StreamCMD(uhd.types.StreamMode.num_done)
        command.num_samps, command.stream_now = N, False
        command.time_spec = usrp.get_time_now() + T(0.06)
        rx.issue_stream_cmd(command)
        metadata = uhd.types.TXMetadata()
        metadata.has_time_spec = metadata.start_of_burst = metadata.end_of_burst = True
        metadata.time_spec = command.time_spec
        tx.send(sent, metadata, 1.0)
        got = np.zeros((n, N), np.complex64)
        if rx.recv(got, uhd.types.RXMetadata(), 1.0) == N:
            phases.append([float(np.angle(np.vdot(one, got[0]))) for one in sent])
    return phases


def stream(rate, n_samples):
    """Seconds that so many samples took from the first on, and how many came."""
    usrp = opened(1)
    usrp.set_rx_rate(rate)
    rx = usrp.get_rx_stream(uhd.usrp.StreamArgs("fc32", "sc16"))
    command = uhd.types.StreamCMD(uhd.types.StreamMode.num_done)
    command.num_samps, command.stream_now = n_samples, False
    command.time_spec = usrp.get_time_now() + T(0.1)
    piece, metadata, got = np.zeros((1, 200_000), np.complex64), uhd.types.RXMetadata(), 0
    began = time.monotonic() + 0.1
    rx.issue_stream_cmd(command)
    while got < n_samples:
        n = rx.recv(piece, metadata, 1.5)
        got += n
        if not n:
            break
    return [time.monotonic() - began, got]


if __name__ == "__main__":
    what = untimed(int(sys.argv[2])) if sys.argv[1] == "untimed" else stream(float(sys.argv[2]), int(sys.argv[3]))
    print(json.dumps(what))
