// MartletMessaging: messages and their edits, history, sync, cursors, the list of conversations, groups and rooms. It decides by
// MartletCore's Policy on facts that ConversationAccess gathers, stores through MartletSQL and MartletLog, and never imports another feature:
// accounts come through UserDirectory, friends and blocks through DirectRelations. Start with ConversationAccess.swift, then Messages.swift.
