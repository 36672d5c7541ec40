#!/bin/sh
# A session service that shows what it is told to, and prints what it is told to: /talk/www/status, and each file /talk/N once.
# Its lines go to standard output and standard error in turn.
trap 'exit 0' TERM
httpd -p "127.0.0.1:$PORT" -h /talk/www
turn=1
while :; do
  for file in /talk/[0-9]*; do
    [ -e "$file" ] || continue
    # Taken before it is said: nothing is said twice.
    mv "$file" /talk/said
    while IFS= read -r line; do
      if [ "$turn" = 1 ]; then
        printf '%s\n' "$line"
        turn=2
      else
        printf '%s\n' "$line" >&2
        turn=1
      fi
    done < /talk/said
  done
  sleep 0.1 &
  wait $!
done
