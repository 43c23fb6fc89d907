"""OpenLineage events as Airflow, Spark, dbt and Flink write them, shortened; a run's story in one call."""

import uuid
from datetime import datetime
from typing import Any

SCHEMA = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
_BASE = {"_producer": "https://example.org/producer", "_schemaURL": "https://example.org/facet.json"}


def facet(**values: Any) -> dict[str, Any]:
    return {**_BASE, **values}


def named(namespace: str, name: str, **facets: Any) -> dict[str, Any]:
    return {"namespace": namespace, "name": name, "facets": facets}


def heed(slug: str, **facets: Any) -> dict[str, Any]:
    return named("heed", slug, **facets)


def event(
    kind: str,
    at: datetime,
    *,
    run: uuid.UUID,
    inputs: list[dict[str, Any]] | None = None,
    outputs: list[dict[str, Any]] | None = None,
    job: str = "nightly",
) -> dict[str, Any]:
    return {
        "eventType": kind,
        "eventTime": at.isoformat(),
        "run": {"runId": str(run), "facets": {"processing_engine": facet(name="spark", version="4.3.0")}},
        "job": {"namespace": "pipelines", "name": job, "facets": {"jobType": facet(jobType="JOB")}},
        "inputs": inputs or [],
        "outputs": outputs or [],
        "producer": "https://example.org/producer",
        "schemaURL": SCHEMA,
    }


def airflow() -> dict[str, Any]:
    """A task's end: parent facet, SQL, nothing but database tables."""
    return {
        "eventTime": "2026-03-02T12:00:00.891667+00:00",
        "eventType": "COMPLETE",
        "inputs": [
            named("postgres://db:5432", "shop.public.posts", schema=facet(fields=[{"name": "id", "type": "int"}]))
        ],
        "outputs": [],
        "job": {
            "namespace": "default",
            "name": "export.load",
            "facets": {"sql": facet(query="SELECT 1"), "ownership": facet(owners=[{"name": "team"}])},
        },
        "run": {
            "runId": "0176a8c2-fe01-7439-87e6-56a1a1b4029f",
            "facets": {
                "parent": facet(
                    job={"namespace": "default", "name": "export"},
                    run={"runId": "0176a8c2-fe01-7439-87e6-000000000001"},
                ),
                "nominalTime": facet(nominalStartTime="2026-03-02T12:00:00Z"),
                "airflow": facet(task={"retries": 3}, dag={"tags": None}),
            },
        },
        "producer": "https://github.com/apache/airflow/tree/providers-openlineage/2.14.0",
        "schemaURL": SCHEMA,
    }


def spark(location: str) -> dict[str, Any]:
    """A table by its catalogue's name, whose place is a symlink; a file sink that overwrites."""
    return {
        "eventTime": "2026-03-02T12:00:00.001Z",
        "eventType": "RUNNING",
        "run": {
            "runId": "ea445b5c-22eb-457a-8007-01c7c52b6e54",
            "facets": {"spark.logicalPlan": {"plan": [{"class": "Project"}]}, "environment-properties": {}},
        },
        "job": {"namespace": "spark", "name": "clean.execute_save_into_data_source_command", "facets": {}},
        "inputs": [
            {
                "namespace": "hive://metastore:9083",
                "name": "default.posts",
                "facets": {
                    "symlinks": facet(identifiers=[{"namespace": "file", "name": location, "type": "LOCATION"}]),
                    "dataSource": facet(name="hive", uri="hive://metastore:9083"),
                },
                "inputFacets": {"inputStatistics": facet(rowCount=5, size=10)},
            }
        ],
        "outputs": [
            {
                "namespace": "s3://lake",
                "name": "clean/posts",
                "facets": {"lifecycleStateChange": facet(lifecycleStateChange="OVERWRITE")},
                "outputFacets": {"outputStatistics": facet(rowCount=5, fileCount=1)},
            }
        ],
        "producer": "https://github.com/OpenLineage/OpenLineage/tree/1.40.0/integration/spark",
        "schemaURL": SCHEMA,
    }


def dbt() -> dict[str, Any]:
    return {
        "eventTime": "2026-03-02T12:00:01.000000Z",
        "eventType": "FAIL",
        "run": {"runId": "f99310b4-3c3c-1a1a-2b2b-c1b95c24ff11", "facets": {"dbt_version": facet(version="1.9.0")}},
        "job": {"namespace": "dbt", "name": "shop.model.posts", "facets": {}},
        "inputs": [named("duckdb:///tmp/x.db", "main.raw_posts")],
        "outputs": [named("duckdb:///tmp/x.db", "main.posts", columnLineage=facet(fields={}))],
        "producer": "https://github.com/OpenLineage/OpenLineage/tree/1.40.0/integration/dbt",
        "schemaURL": SCHEMA,
    }


def flink() -> dict[str, Any]:
    """No eventType in some versions, no facets at all, null where there is nothing."""
    return {
        "eventTime": "2026-03-02T12:00:02Z",
        "run": {"runId": "01890f4a-0000-7000-8000-000000000000"},
        "job": {"namespace": "flink", "name": "stream"},
        "inputs": [{"namespace": "kafka://broker:9092", "name": "posts"}],
        "outputs": None,
        "producer": "https://github.com/OpenLineage/OpenLineage/tree/1.40.0/integration/flink",
        "schemaURL": SCHEMA,
    }
