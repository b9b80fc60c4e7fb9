import com.fasterxml.jackson.databind.*;
import java.nio.charset.StandardCharsets;
import java.util.*;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.state.*;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.connector.base.DeliveryGuarantee;
import org.apache.flink.connector.kafka.sink.*;
import org.apache.flink.connector.kafka.source.KafkaSource;
import org.apache.flink.connector.kafka.source.enumerator.initializer.OffsetsInitializer;
import org.apache.flink.connector.kafka.source.reader.deserializer.KafkaRecordDeserializationSchema;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.util.Collector;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerRecord;

/**
 * Flink in one process, exactly once, RocksDB: usage InviteJob PARALLELISM.
 *
 * The same policy as the Kafka Streams peer: every reading changes the account's state.
 */
public class InviteJob {
    static final Set<String> COVERED = Set.of("财经", "法律", "医疗", "军事", "时政");
    static final int LINE = 1_000_000, NONE = -1;
    static final AtomicBoolean first = new AtomicBoolean();

    public static class Reading { public String platform, account_id, observed_at; public int followers; }
    public static class CategoryChange { public String platform, account_id, category, observed_at; }

    /** A reading (category null) or a label (followers NONE). */
    public static class Input { public String key, category; public int followers; }
    public static class Account { public int followers; public String category; public boolean invited; }
    public static class Invitation { public String invitation_id, platform, account_id; public int followers, line; }

    static class Decoder implements KafkaRecordDeserializationSchema<Input> {
        final String labels;
        transient ObjectReader readings, changes;

        Decoder(String labels) { this.labels = labels; }

        @Override public void open(org.apache.flink.api.common.serialization.DeserializationSchema.InitializationContext context) {
            ObjectMapper json = new ObjectMapper().configure(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES, false);
            readings = json.readerFor(Reading.class);
            changes = json.readerFor(CategoryChange.class);
        }

        @Override public void deserialize(ConsumerRecord<byte[], byte[]> record, Collector<Input> out) throws java.io.IOException {
            if (!first.get() && first.compareAndSet(false, true))
                System.out.printf("FIRST %.3f%n", System.currentTimeMillis() / 1e3);
            Input input = new Input();
            input.key = new String(record.key(), StandardCharsets.UTF_8);
            input.followers = NONE;
            if (record.topic().equals(labels)) input.category = changes.<CategoryChange>readValue(record.value()).category;
            else input.followers = readings.<Reading>readValue(record.value()).followers;
            out.collect(input);
        }

        @Override public TypeInformation<Input> getProducedType() { return TypeInformation.of(Input.class); }
    }

    static class Policy extends KeyedProcessFunction<String, Input, Invitation> {
        transient ValueState<Account> accounts;

        @Override public void open(OpenContext context) {
            accounts = getRuntimeContext().getState(new ValueStateDescriptor<>("accounts", Account.class));
        }

        @Override public void processElement(Input input, Context context, Collector<Invitation> out) throws Exception {
            Account account = accounts.value();
            if (account == null) account = new Account();
            if (input.followers == NONE) account.category = input.category;
            else account.followers = input.followers;
            if (!account.invited && account.followers >= LINE
                    && account.category != null && COVERED.contains(account.category)) {
                account.invited = true;
                out.collect(invitation(input.key, account));
            }
            accounts.update(account);
        }

        Invitation invitation(String key, Account account) {
            Invitation out = new Invitation();
            byte[] name = (key + "@" + LINE).getBytes(StandardCharsets.UTF_8);
            out.invitation_id = UUID.nameUUIDFromBytes(name).toString();
            int colon = key.indexOf(':');
            out.platform = key.substring(0, colon);
            out.account_id = key.substring(colon + 1);
            out.followers = account.followers;
            out.line = LINE;
            return out;
        }
    }

    static class Encoder implements KafkaRecordSerializationSchema<Invitation> {
        final String topic;
        transient ObjectWriter json;

        Encoder(String topic) { this.topic = topic; }

        @Override public ProducerRecord<byte[], byte[]> serialize(Invitation one, KafkaSinkContext context, Long timestamp) {
            if (json == null) json = new ObjectMapper().writerFor(Invitation.class);
            try {
                byte[] key = (one.platform + ":" + one.account_id).getBytes(StandardCharsets.UTF_8);
                return new ProducerRecord<>(topic, key, json.writeValueAsBytes(one));
            } catch (com.fasterxml.jackson.core.JsonProcessingException e) { throw new RuntimeException(e); }
        }
    }

    public static void main(String[] args) throws Exception {
        Map<String, String> env = System.getenv();
        long checkpointMs = Long.parseLong(env.getOrDefault("COMMIT_MS", "1000"));
        Configuration settings = new Configuration();
        settings.setString("state.backend.type", "rocksdb");
        settings.setString("execution.checkpointing.dir", "file://" + env.get("STATE_DIR") + "/checkpoints");
        settings.setString("execution.checkpointing.incremental", "true");
        settings.setString("execution.checkpointing.interval", checkpointMs + "ms");
        settings.setString("execution.checkpointing.mode", "EXACTLY_ONCE");
        settings.setString("io.tmp.dirs", env.get("STATE_DIR"));
        settings.setString("pipeline.object-reuse", "true");
        StreamExecutionEnvironment flow =
            StreamExecutionEnvironment.createLocalEnvironment(Integer.parseInt(args[0]), settings);
        KafkaSource<Input> source = KafkaSource.<Input>builder()
            .setBootstrapServers(env.get("BOOTSTRAP"))
            .setTopics(env.get("FOLLOWERS"), env.get("CATEGORIES"))
            .setGroupId(env.get("APPLICATION"))
            .setStartingOffsets(OffsetsInitializer.earliest())
            .setDeserializer(new Decoder(env.get("CATEGORIES")))
            .setProperty("max.poll.records", "5000")
            .setProperty("max.partition.fetch.bytes", String.valueOf(4 << 20))
            .build();
        KafkaSink<Invitation> sink = KafkaSink.<Invitation>builder()
            .setBootstrapServers(env.get("BOOTSTRAP"))
            .setRecordSerializer(new Encoder(env.get("INVITATIONS")))
            .setDeliveryGuarantee(DeliveryGuarantee.EXACTLY_ONCE)
            .setTransactionalIdPrefix(env.get("APPLICATION"))
            .setProperty("transaction.timeout.ms", "60000")
            .setProperty("compression.type", "lz4")
            .build();
        flow.fromSource(source, WatermarkStrategy.noWatermarks(), "inputs")
            .keyBy(input -> input.key).process(new Policy()).sinkTo(sink);
        flow.execute(env.get("APPLICATION"));
    }
}
