# Prints what a topic holds with Kafka's console consumer, as long as something comes.
#
# sh read_console.sh localhost:9092 byline.throttles

exec kafka-console-consumer.sh --bootstrap-server "$1" --topic "$2" --from-beginning \
  --isolation-level read_committed --timeout-ms 10000 \
  --formatter-property print.key=true --formatter-property print.headers=true
