"""The products of a scan: tables, maps, report, record."""
