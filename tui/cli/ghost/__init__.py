"""Setting a ghost up from the command line: questions, their answers, and who carries them out."""
