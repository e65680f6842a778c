"""The prompt of a scan, and the parser of its answer; `fleet.llm.scan_request` has the values."""
