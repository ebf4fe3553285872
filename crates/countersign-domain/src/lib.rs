//! The vocabulary of Countersign: users, names, validators, policy, reasons. Pure.
