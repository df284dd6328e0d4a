-- The views that people read. Run again whenever this file or a table has changed, with the schema first on the search path.
-- `samples` and `samples_between` are made by views.py, since they look different while an older table is still there.

-- What held at a time: the last sample at or before it. A deadband leaves out what did not change, so a value holds until the next.
CREATE OR REPLACE FUNCTION value_at(path text, tag text, at timestamptz)
RETURNS TABLE (since timestamptz, value_number double precision, value_integer bigint, value_text text, value_boolean boolean, quality bigint)
LANGUAGE sql STABLE BEGIN ATOMIC
    SELECT s.at, s.value_number, s.value_integer, s.value_text, s.value_boolean, s.quality
    FROM (SELECT max(c.first_at) AS begin FROM sample_chunk c
          WHERE c.tag_id = (SELECT t.id FROM tag t JOIN location l ON l.id = t.location_id WHERE l.path = value_at.path AND t.name = value_at.tag)
          AND c.first_at <= value_at.at) AS newest,
        LATERAL samples_between(value_at.path, value_at.tag, newest.begin, value_at.at + interval '1 microsecond') AS s
    ORDER BY s.at DESC LIMIT 1;
END;

-- As steps: each value with how long it held, from what held at the beginning on.
CREATE OR REPLACE FUNCTION samples_held(path text, tag text, since timestamptz, until timestamptz)
RETURNS TABLE (at timestamptz, held_until timestamptz, value_number double precision, value_integer bigint, value_text text, value_boolean boolean, quality bigint)
LANGUAGE sql STABLE BEGIN ATOMIC
    SELECT s.at, lead(s.at, 1, samples_held.until) OVER (ORDER BY s.at), s.value_number, s.value_integer, s.value_text, s.value_boolean, s.quality
    FROM (SELECT samples_held.since AS at, v.value_number, v.value_integer, v.value_text, v.value_boolean, v.quality
              FROM value_at(samples_held.path, samples_held.tag, samples_held.since) AS v WHERE v.since < samples_held.since
          UNION ALL
          SELECT b.at, b.value_number, b.value_integer, b.value_text, b.value_boolean, b.quality
              FROM samples_between(samples_held.path, samples_held.tag, samples_held.since, samples_held.until) AS b) AS s;
END;

-- One row a stretch of time: how often, and the mean weighted by how long each value held. Bad values hold nothing.
CREATE OR REPLACE FUNCTION samples_by(path text, tag text, since timestamptz, until timestamptz, width interval)
RETURNS TABLE (started_at timestamptz, number bigint, mean double precision, lowest double precision, highest double precision, coverage double precision)
LANGUAGE sql STABLE BEGIN ATOMIC
    SELECT b.started_at,
        count(h.at) FILTER (WHERE h.at >= b.started_at),
        sum(h.value_number * extract(epoch FROM least(h.held_until, b.started_at + samples_by.width) - greatest(h.at, b.started_at))::double precision)
            / nullif(sum(extract(epoch FROM least(h.held_until, b.started_at + samples_by.width) - greatest(h.at, b.started_at)))::double precision, 0),
        min(h.value_number), max(h.value_number),
        coalesce(sum(extract(epoch FROM least(h.held_until, b.started_at + samples_by.width) - greatest(h.at, b.started_at)))::double precision, 0)
            / extract(epoch FROM samples_by.width)::double precision
    FROM generate_series(samples_by.since, samples_by.until - interval '1 microsecond', samples_by.width) AS b(started_at)
    LEFT JOIN samples_held(samples_by.path, samples_by.tag, samples_by.since, samples_by.until) AS h
        ON h.at < b.started_at + samples_by.width AND h.held_until > b.started_at AND h.quality & 2147483648 = 0 AND h.value_number IS NOT NULL
    GROUP BY b.started_at ORDER BY b.started_at;
END;

-- Values that another of the same time has replaced.
CREATE OR REPLACE VIEW samples_replaced AS
SELECT l.path, t.name AS tag, c.first_at AS at, coalesce(c.number[1], c.integer[1]::double precision) AS value_number,
    c.integer[1] AS value_integer, c.text[1] AS value_text, c.boolean[1] AS value_boolean, coalesce(c.quality[1], 0) AS quality,
    o.source, c.sequence, o.kafka_topic, o.kafka_partition, c.kafka_offset
FROM sample_replaced c JOIN tag t ON t.id = c.tag_id JOIN location l ON l.id = t.location_id JOIN origin o ON o.id = c.origin_id;

CREATE OR REPLACE VIEW tags AS
SELECT l.path, t.name AS tag, t.type, t.role, t.unit, t.description, l.enterprise, l.site, l.area, l.line, l.cell
FROM tag t JOIN location l ON l.id = t.location_id;

CREATE OR REPLACE VIEW state_now AS
SELECT l.path, l.enterprise, l.site, l.area, l.line, l.cell, n.at AS as_of, n.state, n.mode, n.state_since, n.last_seen, n."order", n.product,
    n.shift, n.good, n.scrap, n.availability, n.performance, n.quality, n.oee, n.coverage, n.open_alerts
FROM location l CROSS JOIN LATERAL
    (SELECT * FROM "current" c WHERE c.path = l.path ORDER BY c.started_at DESC, c.revision DESC LIMIT 1) AS n;

CREATE OR REPLACE VIEW oee_by_window AS
SELECT l.path, l.enterprise, l.site, l.area, l.line, l.cell, k."window", k.window_name, k.started_at, k.ended_at, k.status, k.availability,
    k.performance, k.quality, k.oee, k.coverage, k.observed_us / 1e6 AS observed_s, k.elapsed_us / 1e6 AS elapsed_s, k.why_null,
    k.good, k.scrap, k.rework, k."order", k.product, k.definition, k.revision
FROM oee_latest k JOIN location l ON l.path = k.path WHERE k.ended_at IS DISTINCT FROM k.started_at;

CREATE OR REPLACE VIEW oee_by_hour AS SELECT * FROM oee_by_window WHERE "window" = 'hour';
CREATE OR REPLACE VIEW oee_by_shift AS SELECT * FROM oee_by_window WHERE "window" = 'shift';
CREATE OR REPLACE VIEW oee_by_order AS SELECT * FROM oee_by_window WHERE "window" = 'order';

-- Places of every level; `oee` where the definition has one of that name, all that it has in `values` and, a row each, in kpi_values.
CREATE OR REPLACE VIEW kpi_by_window AS
SELECT l.path, l.level, l.enterprise, l.site, l.area, l.line, l.cell, k."window", k.window_name, k.started_at, k.ended_at, k.status,
    (k."values" ->> 'oee')::double precision AS oee, k.coverage, k.observed_us / 1e6 AS observed_s, k.elapsed_us / 1e6 AS elapsed_s,
    k.why_null, k."values", k.quantities, k.loss_us, k.element_us, k."order", k.product, k.rule, k.definition, k.revision
FROM kpi_latest k JOIN location l ON l.path = k.path WHERE k.ended_at IS DISTINCT FROM k.started_at;

CREATE OR REPLACE VIEW kpi_by_hour AS SELECT * FROM kpi_by_window WHERE "window" = 'hour';
CREATE OR REPLACE VIEW kpi_by_shift AS SELECT * FROM kpi_by_window WHERE "window" = 'shift';
CREATE OR REPLACE VIEW kpi_by_order AS SELECT * FROM kpi_by_window WHERE "window" = 'order';
CREATE OR REPLACE VIEW kpi_by_day AS SELECT * FROM kpi_by_window WHERE "window" = 'day';

CREATE OR REPLACE VIEW kpi_values AS
SELECT k.path, k.level, k."window", k.window_name, k.started_at, k.ended_at, k.status, v.key AS kpi, v.value::double precision AS value,
    k.coverage, k.why_null, k.definition, k.revision
FROM kpi_by_window k CROSS JOIN LATERAL jsonb_each_text(k."values") AS v;

-- A stop has a record for each part of it that has a reason of its own; one that runs still has no end.
CREATE OR REPLACE VIEW stops AS
SELECT l.path, l.enterprise, l.site, l.area, l.line, l.cell, d.started_at, d.ended_at,
    extract(epoch FROM d.ended_at - d.started_at)::double precision AS stopped_s, d.kind, d.state, d.reason_code, d.reason, d.category,
    d.reason_by, d."order", coalesce(d.stop_started_at, d.started_at) AS stop_started_at, d.status, d.definition, d.natural_id, d.revision
FROM downtime_latest d JOIN location l ON l.path = d.path WHERE d.ended_at IS DISTINCT FROM d.started_at;

-- Where the time went, below a place: the worst reason first. A stop counts for what of it is between the two times.
CREATE OR REPLACE FUNCTION stops_pareto(place text, since timestamptz, until timestamptz)
RETURNS TABLE (reason_code bigint, reason text, category text, stops bigint, stopped_s double precision, share double precision, cumulative double precision)
LANGUAGE sql STABLE BEGIN ATOMIC
    SELECT r.reason_code, r.reason, r.category, r.stops, r.stopped_s,
        r.stopped_s / nullif(sum(r.stopped_s) OVER (), 0),
        sum(r.stopped_s) OVER (ORDER BY r.stopped_s DESC, r.reason_code, r.reason, r.category) / nullif(sum(r.stopped_s) OVER (), 0)
    FROM (SELECT s.reason_code, s.reason, s.category, count(DISTINCT (s.path, s.stop_started_at)) AS stops,
            sum(extract(epoch FROM least(coalesce(s.ended_at, now()), stops_pareto.until) - greatest(s.started_at, stops_pareto.since)))::double precision AS stopped_s
          FROM stops s
          WHERE (s.path = stops_pareto.place OR starts_with(s.path, stops_pareto.place || '/'))
            AND s.started_at < stops_pareto.until AND coalesce(s.ended_at, now()) > stops_pareto.since
          GROUP BY 1, 2, 3) AS r
    ORDER BY r.stopped_s DESC, r.reason_code, r.reason, r.category;
END;

CREATE OR REPLACE VIEW changeovers AS
SELECT l.path, l.enterprise, l.site, l.area, l.line, l.cell, c.started_at, c.ended_at, c.from_product, c.to_product, c.from_order, c.to_order,
    (c.teardown_us + c.setup_us + c.run_in_us) / 1e6 AS took_s, c.teardown_us / 1e6 AS teardown_s, c.setup_us / 1e6 AS setup_s,
    c.run_in_us / 1e6 AS run_in_s, c.planned_us / 1e6 AS planned_s, c.target_us / 1e6 AS target_s, c.scrap, c.status, c.revision
FROM changeover_latest c JOIN location l ON l.path = c.path WHERE c.ended_at IS DISTINCT FROM c.started_at;

CREATE OR REPLACE VIEW cycle_statistics AS
SELECT l.path, l.enterprise, l.site, l.area, l.line, l.cell, c.started_at, c.ended_at, c.product, c.cycles, c.interrupted, c.slow,
    c.min_us / 1e6 AS min_s, c.p5_us / 1e6 AS p5_s, c.p10_us / 1e6 AS p10_s, c.median_us / 1e6 AS median_s, c.p95_us / 1e6 AS p95_s,
    c.max_us / 1e6 AS max_s, c.mean_us / 1e6 AS mean_s, c.ideal_cycle_us / 1e6 AS ideal_cycle_s, c.suspicion,
    c.suggested_ideal_us / 1e6 AS suggested_ideal_s, c.status, c.revision
FROM cycle_latest c JOIN location l ON l.path = c.path WHERE c.ended_at IS DISTINCT FROM c.started_at;

CREATE OR REPLACE VIEW counts AS
SELECT l.path, l.enterprise, l.site, l.area, l.line, l.cell, p.started_at, p.ended_at, p.good, p.scrap, p.rework, p."order", p.product,
    p.status, p.revision
FROM production_latest p JOIN location l ON l.path = p.path WHERE p.ended_at IS DISTINCT FROM p.started_at;

CREATE OR REPLACE VIEW counts_by_hour AS
SELECT path, date_trunc('hour', started_at, 'UTC') AS started_at, "order", product, sum(good) AS good, sum(scrap) AS scrap, sum(rework) AS rework
FROM counts GROUP BY 1, 2, 3, 4;
