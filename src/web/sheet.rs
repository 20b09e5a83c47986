//! Tables to save, as CSV that spreadsheets open.

use std::borrow::Cow;

use super::Shown;

const CSV: &str = "text/csv; charset=utf-8";

/// A table that grows row by row.
#[derive(Debug)]
pub(super) struct Sheet(csv::Writer<Vec<u8>>);

impl Sheet {
    /// One with these columns.
    pub(super) fn new(columns: &[&str]) -> Sheet {
        let mut sheet = Sheet(csv::Writer::from_writer(Vec::new()));
        sheet.row(columns);
        sheet
    }

    /// Adds a row, a cell a column.
    pub(super) fn row<T: AsRef<str>>(&mut self, cells: impl IntoIterator<Item = T>) {
        for cell in cells {
            // Writing into memory cannot fail, and the writer takes rows of any length once they are ended.
            let _ = self.0.write_field(guarded(cell.as_ref()).as_bytes());
        }
        let _ = self.0.write_record(None::<&[u8]>);
    }

    /// The whole, under a file name.
    pub(super) fn shown(self, name: &str) -> Shown {
        let disposition = format!("attachment; filename=\"{name}.csv\"");
        Shown {
            status: 200,
            content_type: CSV,
            body: self.0.into_inner().unwrap_or_default(),
            headers: vec![("content-disposition", disposition), ("cache-control", "no-store".to_owned())],
        }
    }
}

/// What people wrote must not become a formula where a spreadsheet opens the file: an apostrophe makes it text. A number
/// is none, whatever its sign.
fn guarded(cell: &str) -> Cow<'_, str> {
    let is_formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']);
    let is_number = || cell.parse().is_ok_and(f64::is_finite);
    if is_formula && !is_number() { Cow::Owned(format!("'{cell}")) } else { Cow::Borrowed(cell) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_be_a_formula_is_text_and_numbers_stay_numbers() {
        let formulas =
            ["=1+1", "+1-2", "-2+3", "@SUM(A1)", "\tx", "\r=1", "\n=1", "＝1", "-", "+", "-inf", "+nan"];
        for formula in formulas {
            assert_eq!(guarded(formula), format!("'{formula}"));
        }
        for plain in ["", "0", "-1", "-0.25", "+4.5e3", "alice", "a=1", "'x", " =1", "1_2_3", "–"] {
            assert_eq!(guarded(plain), plain);
        }
    }

    #[test]
    fn a_file_has_its_columns_and_rows_of_any_text() {
        let mut sheet = Sheet::new(&["user", "score"]);
        sheet.row(["=cmd|' /C calc'!A0", "-1.5"]);
        sheet.row(["a,\"b\"\nc", ""]);
        let shown = sheet.shown("users");
        let text = String::from_utf8(shown.body.clone()).unwrap();
        assert_eq!(text, "user,score\n'=cmd|' /C calc'!A0,-1.5\n\"a,\"\"b\"\"\nc\",\n");
        let headers: Vec<&str> = shown.headers.iter().map(|(_, value)| value.as_str()).collect();
        assert_eq!(headers, ["attachment; filename=\"users.csv\"", "no-store"]);
        let rows = csv::Reader::from_reader(text.as_bytes()).into_records().count();
        assert_eq!((rows, shown.content_type), (2, CSV));
    }
}
