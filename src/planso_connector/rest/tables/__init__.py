"""Lists as tables for spreadsheets: their columns, and their rows as CSV or as an Excel workbook."""
