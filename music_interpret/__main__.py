from music_interpret.cli import main

main()
