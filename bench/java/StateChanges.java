// The step of bench/step.py on Kafka Streams: same input, same decoding and encoding work, same bytes out.
//
// exactly_once_v2, one stream thread, a key-value store with cache and changelog. Avro: generic records with cached
// schemas, reused readers, writers, records and buffers. Arguments: bootstrap, input topic, output topic, application
// id, state folder, file for the begin, the schemas of Samples and State, their two schema ids, then name=value pairs.

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.Properties;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericDatumWriter;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.io.BinaryDecoder;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.DecoderFactory;
import org.apache.avro.io.EncoderFactory;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.processor.api.RecordMetadata;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;

public final class StateChanges implements Processor<String, byte[], String, byte[]> {
    private static final String STORE = "last";
    private static final int HEADER = 5;

    private final Path begun;
    private final int samplesId;
    private final int stateId;
    private final GenericDatumReader<GenericRecord> reader;
    private final GenericDatumWriter<GenericRecord> writer;
    private final GenericRecord state;
    private final GenericRecord inputs;
    private final ByteArrayOutputStream buffer = new ByteArrayOutputStream(512);
    private ProcessorContext<String, byte[]> context;
    private KeyValueStore<String, String> store;
    private BinaryDecoder decoder;
    private BinaryEncoder encoder;
    private GenericRecord samples;
    private boolean first = true;

    StateChanges(Path begun, Schema samplesSchema, int samplesId, Schema stateSchema, int stateId) {
        this.begun = begun;
        this.samplesId = samplesId;
        this.stateId = stateId;
        reader = new GenericDatumReader<>(samplesSchema);
        writer = new GenericDatumWriter<>(stateSchema);
        state = new GenericData.Record(stateSchema);
        inputs = new GenericData.Record(stateSchema.getField("inputs").schema());
        state.put("ended_at", null);
        state.put("definition", "bench@1");
        state.put("status", "final");
        state.put("revision", 0);
        state.put("inputs", inputs);
        state.put("mode", "production");
        state.put("element", "APT");
    }

    @Override
    public void init(ProcessorContext<String, byte[]> context) {
        this.context = context;
        store = context.getStateStore(STORE);
    }

    @Override
    public void process(Record<String, byte[]> record) {
        if (first) {
            first = false;
            mark();
        }
        try {
            step(record);
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }

    private void step(Record<String, byte[]> record) throws IOException {
        byte[] value = record.value();
        if (value[0] != 0 || ByteBuffer.wrap(value, 1, 4).getInt() != samplesId) {
            return;
        }
        decoder = DecoderFactory.get().binaryDecoder(value, HEADER, value.length - HEADER, decoder);
        samples = reader.read(samples, decoder);
        String path = record.key();
        RecordMetadata at = context.recordMetadata().orElseThrow();
        String last = store.get(path);
        int cut = last == null ? -1 : last.lastIndexOf('@');
        String before = last == null ? "" : last.substring(0, cut);
        long since = last == null ? 0 : Long.parseLong(last.substring(cut + 1));
        for (GenericRecord sample : (List<GenericRecord>) samples.get("samples")) {
            String to = sample.get("value").toString();
            if (!to.equals(before)) {
                context.forward(record.withValue(encode(path, (Long) sample.get("at"), before, to, since, at)));
                before = to;
                since = at.offset();
            }
        }
        store.put(path, before + "@" + since);
    }

    private byte[] encode(String path, long startedAt, String from, String to, long since, RecordMetadata at)
            throws IOException {
        state.put("id", path + "#state@" + startedAt + "~bench@1:0");
        state.put("path", path);
        state.put("started_at", startedAt);
        state.put("state", from + ">" + to);
        inputs.put("topic", at.topic());
        inputs.put("partition", at.partition());
        inputs.put("first_offset", since);
        inputs.put("last_offset", at.offset());
        buffer.reset();
        buffer.write(0);
        buffer.write(stateId >>> 24);
        buffer.write(stateId >>> 16);
        buffer.write(stateId >>> 8);
        buffer.write(stateId);
        encoder = EncoderFactory.get().binaryEncoder(buffer, encoder);
        writer.write(state, encoder);
        encoder.flush();
        return buffer.toByteArray();
    }

    private void mark() {
        double wall = System.currentTimeMillis() / 1000.0;
        long cpu = ((com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean())
                .getProcessCpuTime();
        try {
            Path part = Path.of(begun + ".part");
            Files.writeString(part, "{\"wall_s\": " + wall + ", \"cpu_s\": " + cpu / 1e9 + "}");
            Files.move(part, begun, StandardCopyOption.ATOMIC_MOVE);
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }

    public static void main(String[] args) throws IOException {
        Schema samples = new Schema.Parser().parse(Files.readString(Path.of(args[6])));
        Schema state = new Schema.Parser().parse(Files.readString(Path.of(args[7])));
        int samplesId = Integer.parseInt(args[8]);
        int stateId = Integer.parseInt(args[9]);
        Properties properties = new Properties();
        properties.put("bootstrap.servers", args[0]);
        properties.put("application.id", args[3]);
        properties.put("state.dir", args[4]);
        for (int i = 10; i < args.length; i++) {
            String[] pair = args[i].split("=", 2);
            properties.put(pair[0], pair[1]);
        }
        Topology topology = new Topology()
                .addSource("raw", new StringDeserializer(), new ByteArrayDeserializer(), args[1])
                .addProcessor(
                        "step", () -> new StateChanges(Path.of(args[5]), samples, samplesId, state, stateId), "raw")
                .addStateStore(
                        Stores.keyValueStoreBuilder(
                                        Stores.inMemoryKeyValueStore(STORE), Serdes.String(), Serdes.String())
                                .withCachingEnabled(),
                        "step")
                .addSink("states", args[2], new StringSerializer(), new ByteArraySerializer(), "step");
        KafkaStreams streams = new KafkaStreams(topology, properties);
        streams.setUncaughtExceptionHandler(error -> {
            error.printStackTrace();
            return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
        });
        Runtime.getRuntime().addShutdownHook(new Thread(streams::close));
        streams.start();
    }
}
