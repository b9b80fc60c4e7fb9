# Prints what a topic holds and what comes with Kafka's console consumer, until it is ended.
#
# sh read_console.sh localhost:9092 byline.throttles

exec kafka-console-consumer.sh --bootstrap-server "$1" --topic "$2" --from-beginning \
  --isolation-level read_committed \
  --formatter-property print.key=true --formatter-property print.headers=true
