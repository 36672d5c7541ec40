#!/bin/sh
# A session service in a few lines: its session is the folder session/Default in /app/data, and its health follows from what is in it.
#   broken   it loops: OPENING, PAIRING, CONNECTED
#   linked   it is connected
#   neither  it shows a QR code, and after SCAN_AFTER seconds somebody scans it
data=/app/data/session/Default
www=/tmp/www
mkdir -p "$www"
say() {
  printf '{"connected":%s,"hasQR":%s,"state":"%s"}' "$1" "$2" "$3" > "$www/new"
  mv "$www/new" "$www/status"
}
trap 'exit 0' TERM
say false false connecting
httpd -p "127.0.0.1:$PORT" -h "$www"
turns=0
while :; do
  turns=$((turns + 1))
  if [ -e "$data/broken" ]; then
    case $((turns % 4)) in
      0) say false false OPENING ;;
      1) say false false PAIRING ;;
      *) say true false CONNECTED ;;
    esac
  elif [ -e "$data/linked" ]; then
    say true false CONNECTED
  else
    say false true connecting
    if [ "$turns" -ge "$SCAN_AFTER" ]; then
      mkdir -p "$data"
      cat /proc/sys/kernel/random/uuid > "$data/linked"
    fi
  fi
  sleep 1 &
  wait $!
done
