import com.fasterxml.jackson.databind.*;
import java.nio.charset.StandardCharsets;
import java.util.*;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.kafka.common.serialization.*;
import org.apache.kafka.streams.*;
import org.apache.kafka.streams.processor.api.*;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.*;

/**
 * Kafka Streams, exactly_once_v2, RocksDB, tuned: usage InvitePolicy THREADS plain|floor.
 *
 * plain: every reading changes the account's state. floor: what Byline does, a reading below the
 * floor of an account that is not tracked is dropped after one look-up; labels have their own store.
 */
public class InvitePolicy {
    static final Set<String> COVERED = Set.of("财经", "法律", "医疗", "军事", "时政");
    static final int LINE = 1_000_000, FLOOR = 950_000;
    static final ObjectMapper JSON =
        new ObjectMapper().configure(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES, false);
    static final AtomicBoolean first = new AtomicBoolean();
    static boolean floor;

    public static class Reading { public String platform, account_id, observed_at; public int followers; }
    public static class CategoryChange { public String platform, account_id, category, observed_at; }
    public static class Account { public int followers; public String category; public boolean invited; }
    public static class Invitation { public String invitation_id, platform, account_id; public int followers, line; }

    interface Written<T> { T get() throws Exception; }

    static <T> T unchecked(Written<T> written) {
        try { return written.get(); } catch (Exception e) { throw new RuntimeException(e); }
    }

    static <T> Serde<T> json(Class<T> type) {
        ObjectReader reader = JSON.readerFor(type);
        ObjectWriter writer = JSON.writerFor(type);
        return Serdes.serdeFrom(
            (topic, value) -> value == null ? null : unchecked(() -> writer.writeValueAsBytes(value)),
            (topic, bytes) -> bytes == null ? null : unchecked(() -> reader.<T>readValue(bytes)));
    }

    static abstract class Policy<V> implements Processor<String, V, String, Invitation> {
        ProcessorContext<String, Invitation> context;
        KeyValueStore<String, Account> accounts;
        KeyValueStore<String, String> labels;

        @Override public void init(ProcessorContext<String, Invitation> context) {
            this.context = context;
            accounts = context.getStateStore("accounts");
            labels = context.getStateStore("labels");
        }

        /** The account with the input applied, or null where there is nothing to keep. */
        abstract Account updated(String key, V input);

        @Override public void process(Record<String, V> record) {
            if (!first.get() && first.compareAndSet(false, true))
                System.out.printf("FIRST %.3f%n", System.currentTimeMillis() / 1e3);
            Account account = updated(record.key(), record.value());
            if (account == null) return;
            if (!account.invited && account.followers >= LINE
                    && account.category != null && COVERED.contains(account.category)) {
                account.invited = true;
                context.forward(record.withValue(invitation(record.key(), account)));
            }
            accounts.put(record.key(), account);
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

    static class OnReading extends Policy<Reading> {
        Account updated(String key, Reading reading) {
            Account account = accounts.get(key);
            if (account == null) {
                if (floor && reading.followers < FLOOR) return null;
                account = new Account();
                if (floor) account.category = labels.get(key);
            }
            account.followers = reading.followers;
            return account;
        }
    }

    static class OnCategory extends Policy<CategoryChange> {
        Account updated(String key, CategoryChange change) {
            if (floor) labels.put(key, change.category);
            Account account = accounts.get(key);
            if (account == null) {
                if (floor) return null;
                account = new Account();
            }
            account.category = change.category;
            return account;
        }
    }

    static Topology topology(Map<String, String> env) {
        Topology topology = new Topology();
        topology.addSource("readings", Serdes.String().deserializer(), json(Reading.class).deserializer(), env.get("FOLLOWERS"));
        topology.addSource("categories", Serdes.String().deserializer(), json(CategoryChange.class).deserializer(), env.get("CATEGORIES"));
        topology.addProcessor("on-reading", OnReading::new, "readings");
        topology.addProcessor("on-category", OnCategory::new, "categories");
        topology.addStateStore(Stores.keyValueStoreBuilder(
            Stores.persistentKeyValueStore("accounts"), Serdes.String(), json(Account.class)), "on-reading", "on-category");
        topology.addStateStore(Stores.keyValueStoreBuilder(
            Stores.persistentKeyValueStore("labels"), Serdes.String(), Serdes.String()), "on-reading", "on-category");
        topology.addSink("invitations", env.get("INVITATIONS"), Serdes.String().serializer(),
            json(Invitation.class).serializer(), "on-reading", "on-category");
        return topology;
    }

    public static void main(String[] args) {
        Map<String, String> env = System.getenv();
        floor = args[1].equals("floor");
        Properties p = new Properties();
        p.put(StreamsConfig.APPLICATION_ID_CONFIG, env.get("APPLICATION"));
        p.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, env.get("BOOTSTRAP"));
        p.put(StreamsConfig.STATE_DIR_CONFIG, env.get("STATE_DIR"));
        p.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
        p.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, args[0]);
        p.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, env.getOrDefault("COMMIT_MS", "1000"));
        p.put(StreamsConfig.consumerPrefix("max.poll.records"), 5000);
        p.put(StreamsConfig.consumerPrefix("max.partition.fetch.bytes"), 4 << 20);
        p.put(StreamsConfig.producerPrefix("batch.size"), 256 << 10);
        p.put(StreamsConfig.producerPrefix("compression.type"), "lz4");
        KafkaStreams streams = new KafkaStreams(topology(env), p);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> streams.close(java.time.Duration.ofSeconds(10))));
        streams.start();
    }
}
