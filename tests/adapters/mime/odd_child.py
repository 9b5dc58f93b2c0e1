"""A child that does what its argument says, instead of answering as it should."""

import sys
import time

HOW = sys.argv[1]

sys.stdin.buffer.read(8)
if HOW == "boasts":
    sys.stdout.buffer.write((1 << 40).to_bytes(8, "big"))
elif HOW == "stops short":
    sys.stdout.buffer.write((10).to_bytes(8, "big") + b"half")
elif HOW == "keeps silent":
    time.sleep(60)
sys.stdout.buffer.flush()
