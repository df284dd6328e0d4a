-- The tables beside those of the record types; each is made where it is missing, with the schema alone on the search path.
CREATE TABLE schema_version (part text PRIMARY KEY, version text NOT NULL, since timestamptz NOT NULL DEFAULT now());
CREATE TABLE location (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, path text NOT NULL UNIQUE,
    enterprise text, site text, area text, line text, cell text, level text);
CREATE TABLE tag (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, location_id integer NOT NULL REFERENCES location, name text NOT NULL,
    type text, role text, unit text, description text, UNIQUE (location_id, name));
CREATE TABLE origin (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, kafka_topic text NOT NULL, kafka_partition integer NOT NULL,
    source text NOT NULL, UNIQUE (kafka_topic, kafka_partition, source));
CREATE TABLE sample_chunk (
    first_at timestamptz NOT NULL, last_at timestamptz NOT NULL, kafka_offset bigint NOT NULL, sequence bigint NOT NULL,
    tag_id integer NOT NULL, origin_id integer NOT NULL, at_us bigint[] NOT NULL, number double precision[], integer bigint[],
    text text[], boolean boolean[], quality bigint[], offsets integer[], sequences integer[],
    PRIMARY KEY (tag_id, first_at)) PARTITION BY RANGE (first_at);
CREATE TABLE sample_replaced (
    LIKE sample_chunk, PRIMARY KEY (tag_id, first_at, origin_id, kafka_offset));
CREATE TABLE sample_writer AS SELECT NULL::text AS token;
