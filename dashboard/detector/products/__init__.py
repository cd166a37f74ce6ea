"""What is written of a scan: tables, maps, report, record."""
