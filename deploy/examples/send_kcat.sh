# Sends lines of KEY, tabulator, VALUE to an input topic with kcat.
#
# sh send_kcat.sh localhost:9092 byline.follower-counts < readings.tsv

tabulator=$(printf '\t')
exec kcat -P -b "$1" -t "$2" -K "$tabulator" \
  -X partitioner=murmur2_random -X enable.idempotence=true
