# Prints what a topic holds with kcat: key, headers, value. Ends at its end.
#
# sh read_kcat.sh localhost:9092 byline.throttles

exec kcat -C -b "$1" -t "$2" -o beginning -e -q -X isolation.level=read_committed \
  -f 'key: %k\nheaders: %h\n%s\n'
