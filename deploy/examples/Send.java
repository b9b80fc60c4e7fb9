// Sends JSON lines to an input topic with Kafka's own client, each under its account's key.
//
// java -cp "$KAFKA_HOME/libs/*" Send.java localhost:9092 byline.follower-counts < readings.jsonl

import com.fasterxml.jackson.databind.ObjectMapper;
import java.util.Properties;
import java.util.Scanner;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.StringSerializer;

public class Send {
    public static void main(String[] words) throws Exception {
        var settings = new Properties();
        settings.put("bootstrap.servers", words[0]); // idempotence and murmur2 are its defaults
        var json = new ObjectMapper();
        var failed = new AtomicReference<Exception>();
        var text = new StringSerializer();
        try (var producer = new KafkaProducer<String, String>(settings, text, text);
                var lines = new Scanner(System.in, "UTF-8")) {
            while (lines.hasNextLine()) {
                var line = lines.nextLine();
                var value = json.readTree(line);
                var key = value.get("platform").asText() + ":" + value.get("account_id").asText();
                producer.send(
                        new ProducerRecord<>(words[1], key, line),
                        (place, error) -> failed.compareAndSet(null, error));
            }
        }
        if (failed.get() != null) {
            throw failed.get();
        }
    }
}
