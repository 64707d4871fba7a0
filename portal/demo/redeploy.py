"""The demo's redeploy: a real process that writes what a deployment tool would write, and redeploys nothing.

Standard library only: it runs as an allow-listed command, outside the portal.
"""

import os
import sys
import time

STAGES = ("fetch {target}", "stop control plane", "stop workers", "start control plane", "start workers")
PAUSE_SECONDS = 0.15


def main(product: str, target: str) -> int:
    """Walk the stages, one line each."""
    attempt = os.environ.get("LASTGOOD_ATTEMPT_ID", "none")
    print(f"demo-redeploy: {product} to {target}, attempt {attempt}; this is a demo, nothing is deployed", flush=True)
    for number, stage in enumerate(STAGES, 1):
        time.sleep(PAUSE_SECONDS)
        print(f"[{number}/{len(STAGES)}] {product}: {stage.format(target=target)}: ok", flush=True)
    print(f"{product} runs {target}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
