//! The real program, over folders and over an S3 server in this process. One binary, a module per command.
