"""Sans-IO codecs of everything that crosses a wire. Bytes in, values out. No I/O."""
