"""Where rows come from: files in several forms, datasets of the hub, generators; read as a stream, one row at a time."""

from r1flow.components.data.sources.files import format_of as format_of
from r1flow.components.data.sources.files import source_digest as source_digest
from r1flow.components.data.sources.generators import generator_version as generator_version
from r1flow.components.data.sources.keys import row_key as row_key
from r1flow.components.data.sources.read import read_source as read_source
from r1flow.components.data.sources.tiny import tiny_key as tiny_key
from r1flow.components.data.sources.tiny import tiny_rows as tiny_rows
