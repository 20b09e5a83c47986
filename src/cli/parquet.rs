//! Rows as a Parquet file: columns as in CSV, each optional, times as timestamps.

use std::io::Write;
use std::sync::Arc;

use parquet::basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical, ZstdLevel};
use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::errors::{ParquetError, Result};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::Type;

use crate::ingest::export::{Cell, Shape};

/// Rows that are in memory until they are written as one group.
const GROUP_ROWS: usize = 65_536;

/// A file in the making. Without [`Table::finish`] it is none.
pub(super) struct Table<W: Write + Send> {
    file: SerializedFileWriter<W>,
    columns: Vec<Column>,
    rows: usize,
}

/// What waits of a column: the values that are there, and for each row whether there is one.
#[derive(Default)]
struct Column {
    texts: Vec<ByteArray>,
    integers: Vec<i64>,
    values: Vec<f64>,
    is_there: Vec<i16>,
}

impl<W: Write + Send> Table<W> {
    /// A file of these columns.
    pub(super) fn new(out: W, columns: &[(&str, Shape)]) -> Result<Table<W>> {
        let fields = columns.iter().map(|(name, shape)| field(name, *shape).map(Arc::new));
        let schema =
            Type::group_type_builder("rollbook").with_fields(fields.collect::<Result<_>>()?).build()?;
        let properties = WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::default()));
        Ok(Table {
            file: SerializedFileWriter::new(out, Arc::new(schema), Arc::new(properties.build()))?,
            columns: columns.iter().map(|_| Column::default()).collect(),
            rows: 0,
        })
    }

    /// One more row, of as many cells as there are columns.
    pub(super) fn row(&mut self, cells: &[Cell<'_>]) -> Result<()> {
        for (column, cell) in self.columns.iter_mut().zip(cells) {
            column.is_there.push(i16::from(*cell != Cell::Nothing));
            match cell {
                Cell::Nothing => {}
                Cell::Text(text) => column.texts.push(ByteArray::from(*text)),
                // An application's number has ten digits.
                Cell::Number(number) => column.integers.push(number.cast_signed()),
                Cell::Moment(at) => column.integers.push(at.0),
                Cell::Value(value) => column.values.push(*value),
            }
        }
        self.rows += 1;
        if self.rows == GROUP_ROWS { self.write_group() } else { Ok(()) }
    }

    fn write_group(&mut self) -> Result<()> {
        let mut group = self.file.next_row_group()?;
        let mut columns = self.columns.iter_mut();
        while let Some(mut writer) = group.next_column()? {
            let column = std::mem::take(columns.next().ok_or(ParquetError::EOF("columns".to_owned()))?);
            let is_there = Some(&column.is_there[..]);
            match writer.untyped() {
                ColumnWriter::ByteArrayColumnWriter(typed) => {
                    typed.write_batch(&column.texts, is_there, None)?
                }
                ColumnWriter::Int64ColumnWriter(typed) => {
                    typed.write_batch(&column.integers, is_there, None)?
                }
                ColumnWriter::DoubleColumnWriter(typed) => {
                    typed.write_batch(&column.values, is_there, None)?
                }
                ColumnWriter::BoolColumnWriter(_)
                | ColumnWriter::Int32ColumnWriter(_)
                | ColumnWriter::Int96ColumnWriter(_)
                | ColumnWriter::FloatColumnWriter(_)
                | ColumnWriter::FixedLenByteArrayColumnWriter(_) => {
                    return Err(ParquetError::NYI("no shape has this type".to_owned()));
                }
            };
            writer.close()?;
        }
        group.close()?;
        self.rows = 0;
        Ok(())
    }

    /// Writes what waits, and the file's end.
    pub(super) fn finish(mut self) -> Result<()> {
        if self.rows > 0 {
            self.write_group()?;
        }
        self.file.close().map(|_| ())
    }
}

fn field(name: &str, shape: Shape) -> Result<Type> {
    let (physical, logical) = match shape {
        Shape::Text => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
        Shape::Number => (Physical::INT64, None),
        Shape::Moment => (Physical::INT64, Some(LogicalType::timestamp(true, TimeUnit::MILLIS))),
        Shape::Value => (Physical::DOUBLE, None),
    };
    let field = Type::primitive_type_builder(name, physical).with_repetition(Repetition::OPTIONAL);
    field.with_logical_type(logical).build()
}
