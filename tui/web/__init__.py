"""The screen in a browser on this machine: `peer2prompt web`. Needs the extra `web`."""
