/** The version that user_data, records and datagrams name; package.json holds the same (a test compares them). */
export const VERSION = '0.1.0';
