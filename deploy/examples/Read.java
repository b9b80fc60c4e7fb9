// Prints the events of a topic with Kafka's own client: key, event, sequence, id.
//
// java -cp "$KAFKA_HOME/libs/*" Read.java localhost:9092 byline.throttles my-group

import com.fasterxml.jackson.databind.ObjectMapper;
import java.time.Duration;
import java.util.List;
import java.util.Properties;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.serialization.StringDeserializer;

public class Read {
    public static void main(String[] words) throws Exception {
        var settings = new Properties();
        settings.put("bootstrap.servers", words[0]);
        settings.put("group.id", words[2]);
        settings.put("auto.offset.reset", "earliest");
        settings.put("isolation.level", "read_committed"); // the default shows what never happened
        settings.put("enable.auto.commit", "false");
        var json = new ObjectMapper();
        var text = new StringDeserializer();
        try (var consumer = new KafkaConsumer<String, String>(settings, text, text)) {
            consumer.subscribe(List.of(words[1]));
            while (true) {
                for (var record : consumer.poll(Duration.ofSeconds(1))) {
                    var event = json.readTree(record.value());
                    System.out.printf(
                            "%s %s %d %s%n",
                            record.key(),
                            event.get("event").asText(),
                            event.get("sequence").asInt(),
                            event.get("event_id").asText());
                }
                consumer.commitSync(); // after what you do with them
            }
        }
    }
}
