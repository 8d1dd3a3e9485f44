//! The echo over HTTP/1.1. The request line is split by hand: a parser would refuse the odd targets that are the point.

use std::io;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::Seen;

/// Answers requests until the client closes.
pub(super) async fn serve(mut stream: TcpStream) -> io::Result<()> {
    let mut buffer = Vec::new();
    loop {
        let Some(end) = fill_until(&mut stream, &mut buffer, b"\r\n\r\n").await? else { return Ok(()) };
        let head: Vec<u8> = buffer.drain(..end).collect();
        let (method, path, headers) = parse(&head)?;
        let find = |name: &str| headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value);
        let chunked = find("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case(b"chunked"));
        let (body, trailers) = if chunked {
            read_chunks(&mut stream, &mut buffer).await?
        } else {
            let length = find("content-length").and_then(|value| std::str::from_utf8(value).ok()?.parse().ok());
            (take(&mut stream, &mut buffer, length.unwrap_or(0)).await?, Vec::new())
        };
        let (json, x_echo) = Seen::new(method, path, headers, &body, trailers).answer();
        let length = json.len();
        let answer = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nx-echo: {x_echo}\r\n\r\n{json}"
        );
        stream.write_all(answer.as_bytes()).await?;
    }
}

type Fields = Vec<(String, Vec<u8>)>;

fn parse(head: &[u8]) -> io::Result<(String, Vec<u8>, Fields)> {
    let line_end = head.windows(2).position(|pair| pair == b"\r\n").ok_or_else(malformed)?;
    let (line, fields) = (&head[..line_end], &head[line_end + 2..]);
    let method_end = line.iter().position(|byte| *byte == b' ').ok_or_else(malformed)?;
    let path_end = line.iter().rposition(|byte| *byte == b' ').filter(|end| *end > method_end).ok_or_else(malformed)?;
    let method = String::from_utf8_lossy(&line[..method_end]).into_owned();
    Ok((method, line[method_end + 1..path_end].to_vec(), parse_fields(fields)?))
}

fn parse_fields(bytes: &[u8]) -> io::Result<Fields> {
    let mut fields = vec![httparse::EMPTY_HEADER; MAX_FIELDS];
    match httparse::parse_headers(bytes, &mut fields) {
        Ok(httparse::Status::Complete((_, fields))) => {
            Ok(fields.iter().map(|field| (field.name.to_owned(), field.value.to_vec())).collect())
        }
        _ => Err(malformed()),
    }
}

async fn read_chunks(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<(Vec<u8>, Fields)> {
    let mut body = Vec::new();
    loop {
        let end = fill_until(stream, buffer, b"\r\n").await?.ok_or_else(malformed)?;
        let line: Vec<u8> = buffer.drain(..end).collect();
        let digits = std::str::from_utf8(&line).unwrap_or_default().trim().split(';').next().unwrap_or_default();
        let size = usize::from_str_radix(digits, 16).map_err(|_| malformed())?;
        if size == 0 {
            break;
        }
        body.extend(take(stream, buffer, size).await?);
        take(stream, buffer, 2).await?;
    }
    let mut trailers = Vec::new();
    loop {
        let end = fill_until(stream, buffer, b"\r\n").await?.ok_or_else(malformed)?;
        trailers.extend(buffer.drain(..end));
        if end == 2 {
            return Ok((body, parse_fields(&trailers)?));
        }
    }
}

/// Reads until the buffer holds the mark; gives the end of it, or nothing where the client has closed.
async fn fill_until(stream: &mut TcpStream, buffer: &mut Vec<u8>, mark: &[u8]) -> io::Result<Option<usize>> {
    loop {
        if let Some(at) = buffer.windows(mark.len()).position(|window| window == mark) {
            return Ok(Some(at + mark.len()));
        }
        if stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    }
}

async fn take(stream: &mut TcpStream, buffer: &mut Vec<u8>, size: usize) -> io::Result<Vec<u8>> {
    while buffer.len() < size {
        if stream.read_buf(buffer).await? == 0 {
            return Err(malformed());
        }
    }
    Ok(buffer.drain(..size).collect())
}

fn malformed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "not HTTP/1.1")
}

const MAX_FIELDS: usize = 2048;
