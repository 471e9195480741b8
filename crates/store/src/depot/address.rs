//! Where bytes lie, as settings say it.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// Where bytes lie.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Address {
    /// In the data folder, where only this server sees them.
    #[default]
    Own,
    /// In a folder that servers share: `file:/path`.
    Folder(PathBuf),
    /// In a bucket: `s3://name/prefix`.
    Bucket {
        /// Its name.
        name: String,
        /// What every key begins with, without slashes around it; may be empty.
        prefix: String,
    },
}

/// Text that is no address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadAddress {
    /// It begins with neither word.
    #[error("must be `file:/path` or `s3://bucket/prefix`")]
    Scheme,
    /// The folder depends on where the server was started.
    #[error("needs the whole path of a folder, such as file:/mnt/tiltyard")]
    Relative,
    /// It is no name of a bucket, or the prefix would not be found again.
    #[error(
        "needs the name of a bucket (3 to 63 of a-z, 0-9, dot, hyphen) and a prefix of plain names: s3://bucket/prefix"
    )]
    Bucket,
}

impl FromStr for Address {
    type Err = BadAddress;

    fn from_str(text: &str) -> Result<Self, BadAddress> {
        if let Some(path) = text.strip_prefix("file:") {
            let path = PathBuf::from(path.strip_prefix("//").unwrap_or(path));
            return if path.is_absolute() { Ok(Self::Folder(path)) } else { Err(BadAddress::Relative) };
        }
        let rest = text.strip_prefix("s3://").ok_or(BadAddress::Scheme)?;
        let (name, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let prefix = prefix.trim_end_matches('/');
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
        let named = (3..=63).contains(&name.len()) && name.bytes().all(plain);
        let part = |part: &str| !matches!(part, "" | "." | "..") && part.bytes().all(plain);
        if !named || !(prefix.is_empty() || prefix.split('/').all(part)) {
            return Err(BadAddress::Bucket);
        }
        Ok(Self::Bucket { name: name.to_owned(), prefix: prefix.to_owned() })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Own => f.write_str("the data folder"),
            Self::Folder(path) => write!(f, "file:{}", path.display()),
            Self::Bucket { name, prefix } if prefix.is_empty() => write!(f, "s3://{name}"),
            Self::Bucket { name, prefix } => write!(f, "s3://{name}/{prefix}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // O16: bytes lie in a folder or a bucket that every server reaches.
    #[test]
    fn o16_an_address_is_a_folder_or_a_bucket() {
        let folder = Address::Folder("/mnt/x".into());
        assert_eq!("file:/mnt/x".parse(), Ok(folder.clone()));
        assert_eq!("file:///mnt/x".parse(), Ok(folder));
        for text in ["s3://team-1", "s3://team-1/a/b"] {
            assert_eq!(text.parse::<Address>().map(|address| address.to_string()), Ok(text.to_owned()));
        }
        assert_eq!(
            "s3://team-1/a/".parse::<Address>().map(|a| a.to_string()),
            Ok("s3://team-1/a".to_owned())
        );
        assert_eq!("file:here".parse::<Address>(), Err(BadAddress::Relative));
        for text in ["/mnt/x", "gs://x", ""] {
            assert_eq!(text.parse::<Address>(), Err(BadAddress::Scheme), "{text}");
        }
        for text in ["s3://", "s3://ab", "s3://team/a//b", "s3://team/../b", "s3://team/a b", "s3://te am"] {
            assert_eq!(text.parse::<Address>(), Err(BadAddress::Bucket), "{text}");
        }
    }
}
